import './styles/base.css';
document.body.append('hello');
